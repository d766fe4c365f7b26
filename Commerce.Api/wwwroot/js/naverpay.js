// Opens NaverPay's window for a prepared payment. NaverPay returns the browser to the shop.

import { t } from './texts.js';

const query = new URLSearchParams(location.search);
const say = text => { document.getElementById('text').textContent = text; };

try {
  const answer = await fetch('/api/configuration', { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
  const { payWindow } = await answer.json();
  const back = new URL(query.get('returnUrl'));
  if (!payWindow) say(t('naverpay.notUsed'));
  // Otherwise this page would be an open redirect.
  else if (back.origin !== location.origin) say(t('naverpay.foreign'));
  else if (!globalThis.Naver) say(t('naverpay.unreachable'));
  else {
    const amount = query.get('totalPayAmount');
    globalThis.Naver.Pay.create({ mode: payWindow.mode, clientId: payWindow.clientId, chainId: payWindow.chainId }).open({
      merchantUserKey: query.get('merchantUserKey'), merchantPayKey: query.get('merchantPayKey'), productName: query.get('productName'),
      totalPayAmount: amount, taxScopeAmount: amount, taxExScopeAmount: '0', returnUrl: back.href,
    });
  }
} catch {
  say(t('connection.none'));
}
