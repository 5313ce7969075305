/**
 * Keeps the files of the lesson, so that it works without a network after the first visit. The small files that the page starts
 * with are stored at once, the others when the page requests them.
 */

/** Distinguishes versions of the lesson; the bundler inserts it. */
declare const lessonVersion: string;

/** The worker's scope; the types of the page's window do not fit. */
interface ExtendableEvent extends Event {
  waitUntil: (promise: Promise<unknown>) => void;
}
interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith: (response: Promise<Response>) => void;
}
const scope = self as unknown as {
  addEventListener: ((name: 'install' | 'activate', listener: (event: ExtendableEvent) => void) => void) &
    ((name: 'fetch', listener: (event: FetchEvent) => void) => void);
  registration: { active: object | null };
  skipWaiting: () => Promise<void>;
  clients: { claim: () => Promise<void> };
};

/** Caches belong to an origin, which may have several lessons in different folders. */
const prefix = `lesson ${new URL('./', location.href).pathname} `;
const cacheName = prefix + lessonVersion;
const firstFiles = ['./', 'index.html', 'style.css', 'lesson.js', 'files/reviews.json.0.js'];

scope.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(cacheName)
      .then((cache) => cache.addAll(firstFiles))
      // An open page of an earlier version must not get files of this one.
      .then(() => (scope.registration.active ? undefined : scope.skipWaiting())),
  );
});

scope.addEventListener('activate', (event) => {
  const removeOthers = async () => {
    const others = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== cacheName);
    await Promise.all(others.map((name) => caches.delete(name)));
    await scope.clients.claim();
  };
  event.waitUntil(removeOthers());
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return;
  const respond = async () => {
    const cache = await caches.open(cacheName);
    const known = await cache.match(request);
    if (known) return known;
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  };
  event.respondWith(respond());
});
