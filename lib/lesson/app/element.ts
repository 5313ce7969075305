/** Elements of the page. Text is always inserted as text, never as markup. */

/** The element with an id. */
export const element = <Kind extends HTMLElement = HTMLElement>(id: string): Kind =>
  document.getElementById(id) as Kind;

/** Creates an element with properties and content. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...content);
  return created;
}

/** Says what happens, for everyone and for screen readers; an empty text hides it. */
export const showStatus = (text: string): void => {
  element('status').textContent = text;
};

/** Runs an action and shows its error, if any. */
export async function runAction(action: () => void | Promise<void>): Promise<void> {
  element('trouble').textContent = '';
  try {
    await action();
  } catch (error) {
    element('trouble').textContent = (error as Error).message;
  }
}
