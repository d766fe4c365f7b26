// Sign-in with an OIDC provider: authorization code with PKCE, as a public client. There is no secret, and the code is only valid in this browser.

import { t } from './texts.js';

const storage = sessionStorage;
const begun = 'sign-in';
const patience = 10_000;

const random = () => base64Url(crypto.getRandomValues(new Uint8Array(32)));
const base64Url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const home = () => `${location.origin}/`;

/** Redirects to the provider. The address, for example with a running payment, is restored afterwards. */
export async function goToSignIn(provider) {
  const [state, verifier] = [random(), random()];
  storage.setItem(begun, JSON.stringify({ state, verifier, address: location.pathname + location.search + location.hash }));
  const target = new URL(provider.authorizationEndpoint);
  for (const [name, value] of new URLSearchParams(provider.parameters)) target.searchParams.set(name, value);
  for (const [name, value] of Object.entries({
    response_type: 'code', client_id: provider.clientId, redirect_uri: home(), scope: provider.scope, state,
    code_challenge: base64Url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))), code_challenge_method: 'S256',
  })) target.searchParams.set(name, value);
  location.assign(target);
}

/** Whether the provider has just sent the browser back. */
export const isBack = () => {
  const query = new URLSearchParams(location.search);
  return query.has('state') && (query.has('code') || query.has('error'));
};

/** Completes a sign-in at the provider. Returns the user, the access token and the address where it began, or throws an Error with the reason. */
export async function finishSignIn(provider) {
  const query = new URLSearchParams(location.search);
  const { state, verifier, address = '/' } = JSON.parse(storage.getItem(begun) ?? '{}');
  storage.removeItem(begun);
  // The code is used up, so a reload must not send it again.
  history.replaceState(null, '', new URL(address, location.origin).pathname === '/' ? address : '/');
  if (!state || query.get('state') !== state) throw new Error(t('signIn.foreign'));
  if (query.has('error')) throw new Error(query.get('error') === 'access_denied' ? t('signIn.refused') : t('signIn.failed'));
  const answer = await fetch(provider.tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', code: query.get('code'), redirect_uri: home(), client_id: provider.clientId, code_verifier: verifier }),
    signal: AbortSignal.timeout(patience),
  }).catch(() => undefined);
  if (!answer?.ok) throw new Error(t('signIn.failed'));
  const { access_token: token, id_token: identity } = await answer.json();
  return { token, name: nameIn(identity), address };
}

/** Signs out. Ends the provider's session too, if the provider supports it. */
export function signOutUrl(provider) {
  if (!provider?.endSessionEndpoint) return '/';
  const target = new URL(provider.endSessionEndpoint);
  target.searchParams.set('client_id', provider.clientId);
  target.searchParams.set('post_logout_redirect_uri', home());
  return target.href;
}

/** Returns the user's name for display. The shop identifies the user by the access token. */
function nameIn(identity) {
  try {
    const bytes = Uint8Array.from(atob(identity.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return claims.preferred_username ?? claims.name ?? claims.email ?? claims.sub;
  } catch {
    return t('signIn.you');
  }
}
