/** Where an alert is mended. */
import { href } from '../lib/router';
import type { Alert } from './api';

const PLACES: [RegExp, (alert: Alert) => string][] = [
  [/import|file/, (a) => (a.subject?.startsWith('blr_') ? href(`/billers/${a.subject}`, { tab: 'imports' }) : href('/imports'))],
  [/break|settlement|reconcil|payout/, () => href('/settlements')],
  [/approval/, () => href('/approvals')],
  [/webhook|endpoint|shop/, () => href('/shops')],
  [/bill_payment|silent/, (a) => href('/money', { end: a.subject ?? undefined })],
];

export const alertHref = (alert: Alert): string | undefined => PLACES.find(([code]) => code.test(alert.code))?.[1](alert);
