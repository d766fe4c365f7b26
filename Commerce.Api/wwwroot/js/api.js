// Calls the Api as the signed-in user. A refused request becomes a Refusal with the slug of its problem details.

import { observe } from './clock.js';
import { isServers, problem as problemText, t } from './texts.js';

const storage = sessionStorage;
const tries = 5;
const patience = { GET: 10_000, POST: 60_000, PUT: 60_000 };

export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    // Details of server failures are for operators.
    const slug = problem?.type?.replace('urn:commerce:', '') ?? '';
    const text = (isServers && status < 500 && problem?.detail) || problemText(slug) || problem?.title || t('answered', { status });
    super(status === 401 ? t('signIn.ended') : text);
    this.status = status;
    this.slug = slug;
    this.errors = problem?.errors;
    this.retryAfter = retryAfter;
  }
}

class NoAnswer extends Error {
  constructor() {
    super(t('connection.none'));
  }
}

export const user = () => storage.getItem('user');

/** Sign-in by name, in Development. */
export async function signInAs(name, role = 'MEMBER') {
  const { accessToken } = await post('/api/auth/token', { user: name, role });
  remember(name, accessToken);
}

export function remember(name, token) {
  storage.setItem('user', name);
  storage.setItem('token', token);
}

export const signOut = () => storage.clear();

export const get = path => call('GET', path);

/** Reads a page of a list. Returns its items, and the address of the next page if there is one. */
export async function getPage(path) {
  const answer = await request(path, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(patience.GET) });
  return { items: await answer.json(), next: answer.headers.get('Link')?.match(/<([^>]+)>; rel="next"/)?.[1] };
}

export const post = (path, body, key, passes) => call('POST', path, body, { 'Idempotency-Key': key, 'Waiting-Room-Pass': passes });

/** Replaces the version that was read. Another version is refused with 412. */
export const put = (path, body, version) => call('PUT', path, body, { 'If-Match': `"${version}"` });

/** Creates an idempotency key. All attempts of one operation use the same key, so that it takes effect once. */
export const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

/** Returns whether the outcome is unknown, because there was no response or one that asks for a retry. */
export const isUndecided = error => error instanceof NoAnswer || error.status === 429 || error.status >= 500
  || ['idempotency-key-in-flight', 'payment-in-progress', 'coupon-pending'].includes(error.slug);

/** Repeats a request with the same key until its outcome is known. */
export async function insist(path, body, key, passes) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await post(path, body, key, passes);
    } catch (error) {
      if (!isUndecided(error) || attempt >= tries) throw error;
      await pause((error.retryAfter ?? 1) * 1000 * (1 + Math.random()));
    }
  }
}

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Returns a response as a stream after its headers have arrived. */
export async function request(path, { headers = {}, ...options }) {
  const token = storage.getItem('token');
  if (token) headers.Authorization = `Bearer ${token}`;
  const sent = Date.now();
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: 'no-store' });
  } catch {
    throw new NoAnswer();
  }
  observe(sent, answer.headers.get('Date'));
  // A newer sign-in is kept.
  if (answer.status === 401 && token && token === storage.getItem('token')) dispatchEvent(new Event('expired'));
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => undefined);
  throw new Refusal(answer.status, problem, Number(answer.headers.get('Retry-After')) || undefined);
}

async function call(method, path, body, extra = {}) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  for (const [name, value] of Object.entries(extra)) if (value) headers[name] = value;
  const answer = await request(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(patience[method]) });
  if (answer.headers.get('Content-Length') === '0') return undefined;
  try {
    return await answer.json();
  } catch {
    // The response was interrupted.
    throw new NoAnswer();
  }
}
