/** Where an alert is mended. */
import { href } from '../lib/router';
import { day } from '../lib/format';
import type { Alert } from './api';
import { t } from './text';

const DAY = /^\d{4}-\d\d-\d\d/;
const SHOP = /mch_[0-9a-z]{26}/;

/** What the server says besides the code; where the code has it in words of one's own language, those; else its own English. */
export function alertDetail({ code, detail }: Alert): { text: string; lang?: 'en' } {
  if (code === 'restore_overdue') return { text: t('alert.restore_overdue.detail') };
  const [, on, n] = (code === 'breaks_open' && /^(\d{4}-\d\d-\d\d): (\d+) /.exec(detail)) || [];
  return on && n ? { text: t('alert.breaks', { day: day(on), n: Number(n) }) } : { text: detail, lang: 'en' };
}

/** The screen that mends it; nothing where that is not in this console's power. */
export function alertHref({ code, subject, detail }: Alert): string | undefined {
  switch (code) {
    case 'approval_waiting':
      return href('/approvals');
    case 'breaks_open':
      return href(`/billers/${subject}`, { tab: 'settlements', day: DAY.exec(detail)?.[0] });
    case 'import_failed':
    case 'import_stuck':
      return href('/imports');
    case 'webhook_disabled':
      return href('/shops', { q: SHOP.exec(detail)?.[0] });
    case 'feed_lag':
      return subject === 'bill' ? href('/money') : undefined;
    default:
      return undefined;
  }
}
