/** A report as a single HTML file without scripts; figures are embedded as PNG. */
import { escapeHtml } from './html-table.js';

const style = `body{font:15px/1.5 "DejaVu Sans",system-ui,sans-serif;color:#222;background:#fff;max-width:900px;margin:32px auto;padding:0 16px}
h1{font-size:24px}h2{font-size:18px;margin-top:36px}
table{border-collapse:collapse;margin:12px 0;display:block;overflow-x:auto}td,th{padding:4px 12px 4px 0;border-bottom:1px solid #e6e6e6;vertical-align:top;text-align:left}
img{max-width:100%;height:auto;display:block;margin:12px 0}
.headline{font-size:18px;border-left:4px solid #0072b2;padding:4px 12px}.trouble{border-left:4px solid #d55e00;padding:4px 12px}`;

/** A section with a heading; `parts` are HTML. */
export const section = (title: string, ...parts: string[]): string =>
  `<h2>${escapeHtml(title)}</h2>\n${parts.join('\n')}`;

/** A figure as an image element. */
export const picture = (png: Buffer, description: string, name: string): string =>
  `<img alt="${escapeHtml(description)}" title="${escapeHtml(name)}" src="data:image/png;base64,${png.toString('base64')}">`;

/** A page; `parts` are HTML. */
export const htmlPage = (title: string, parts: string[]): string =>
  `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escapeHtml(title)}</title>\n<style>${style}</style>\n<body>\n<h1>${escapeHtml(title)}</h1>\n${parts.join('\n')}\n</body>\n</html>\n`;
