// Calls the Api as whoever is signed in. A refusal becomes a Refusal, which has the slug of its problem details.

const storage = sessionStorage;

export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? problem?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.slug = problem?.type?.replace('urn:commerce:', '') ?? '';
    this.errors = problem?.errors;
    this.retryAfter = retryAfter;
  }
}

let ahead = 0;

/** The server's clock in ms, to a second: a browser's own may be wrong by minutes. */
export const serverNow = () => Date.now() + ahead;

export const user = () => storage.getItem('user');

export async function signIn(name) {
  const { accessToken } = await post('/api/auth/token', { user: name, role: 'MEMBER' });
  storage.setItem('user', name);
  storage.setItem('token', accessToken);
}

export function signOut() {
  storage.clear();
}

export const get = path => call('GET', path);

export const post = (path, body, key) => call('POST', path, body, key);

/** A key for one intention: the same for every try of it, so that it happens once. */
export const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

/** Tries again, with the same key, what found no answer or a server that asks to come again. */
export async function insist(path, body, key, tries = 5) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await post(path, body, key);
    } catch (error) {
      const again = !(error instanceof Refusal) || error.status === 503 || error.status === 429 || error.slug === 'idempotency-key-in-flight' || error.slug === 'payment-in-progress';
      if (!again || attempt >= tries) throw error;
      await new Promise(resolve => setTimeout(resolve, (error.retryAfter ?? 1) * 1000 * (0.5 + Math.random() / 2)));
    }
  }
}

async function call(method, path, body, key) {
  const headers = { Accept: 'application/json' };
  const token = storage.getItem('token');
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store' });
  // The header has whole seconds, half a second is missing on average.
  const date = Date.parse(answer.headers.get('Date') ?? '');
  if (date) ahead = date + 500 - Date.now();
  const text = await answer.text();
  const json = text ? JSON.parse(text) : undefined;
  if (answer.ok) return json;
  const retryAfter = Number(answer.headers.get('Retry-After')) || undefined;
  throw new Refusal(answer.status, json, retryAfter);
}
