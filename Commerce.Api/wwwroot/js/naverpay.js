// Opens NaverPay's window for a prepared payment. NaverPay returns the browser to the shop.

const query = new URLSearchParams(location.search);
const say = text => { document.getElementById('text').textContent = text; };

try {
  const answer = await fetch('/api/configuration', { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
  const { payWindow } = await answer.json();
  const back = new URL(query.get('returnUrl'));
  if (!payWindow) say('This shop does not use NaverPay.');
  // Otherwise this page would be an open redirect.
  else if (back.origin !== location.origin) say('This is not an address of this shop.');
  else if (!globalThis.Naver) say('NaverPay cannot be reached. Go back to the shop and pay again: your order is still reserved.');
  else {
    const amount = query.get('totalPayAmount');
    globalThis.Naver.Pay.create({ mode: payWindow.mode, clientId: payWindow.clientId, chainId: payWindow.chainId }).open({
      merchantUserKey: query.get('merchantUserKey'), merchantPayKey: query.get('merchantPayKey'), productName: query.get('productName'),
      totalPayAmount: amount, taxScopeAmount: amount, taxExScopeAmount: '0', returnUrl: back.href,
    });
  }
} catch {
  say('The shop does not answer. Is there a connection?');
}
