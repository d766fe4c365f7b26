import { get } from '../api.js';
import { element, fill } from '../dom.js';
import { number, t } from '../texts.js';
import { report, row, title } from './list.js';

export async function health(root) {
  const dependencies = element('ul', { id: 'dependency-list', class: 'rows' });
  const findings = element('ul', { id: 'finding-list', class: 'rows', hidden: true });
  const result = element('p', { id: 'audit-result', role: 'status' });
  const run = element('button', { id: 'run-audit', type: 'button', onclick: () => report(audit()) }, t('health.runAudit'));

  async function read() {
    const { checks } = await get('/health/dependencies');
    fill(dependencies, checks.map(c => row(`dependency-${c.name}`, c.name, t('health.took', { time: number(c.durationMs) }), [c.status, t(`health.${c.status}`)])));
  }

  async function audit() {
    run.disabled = true;
    result.textContent = t('health.running');
    try {
      const found = await get('/api/admin/audit');
      result.textContent = found.holds ? t('health.allHolds') : t('health.broken', { count: number(found.findings.filter(f => !f.holds).length) });
      fill(findings, found.findings.map(f => row(undefined, f.invariant, element('span', { lang: 'en' }, f.promise),
        [String(f.holds), f.holds ? t('health.holds') : t('health.finding', { count: number(f.broken) })])));
      findings.hidden = false;
    } catch (error) {
      result.textContent = '';
      throw error;
    } finally {
      run.disabled = false;
    }
  }

  root.replaceChildren(
    element('section', { 'aria-labelledby': 'view-title' },
      title(t('health.dependencies'), element('button', { type: 'button', class: 'quiet', onclick: () => report(read()) }, t('admin.refresh'))), dependencies),
    element('section', { 'aria-labelledby': 'audit-title' },
      element('div', { class: 'title' }, element('h2', { id: 'audit-title' }, t('health.audit')), run),
      element('p', { class: 'soft' }, t('health.auditText')), result, findings));
  await read();
}
