/** What a mandate is for and how it stands, in words. */
import type { Tone } from '../kit';
import { day } from '../lib/format';
import type { Mandate, MandateRun } from './api';
import { named } from './services';
import { t } from './text';

export function forWhat(one: Mandate): string {
  if (one.account) return one.biller_name ? named(one.biller_name) : one.account.biller;
  const kinds = one.categories?.length ? one.categories.map((kind) => t(`category.${kind}`)).join(t('autopay.join')) : undefined;
  if (one.member_name) return kinds ? t('autopay.of.kinds', { name: one.member_name, kinds }) : t('autopay.of', { name: one.member_name });
  return kinds ? t('autopay.kinds', { kinds }) : t('autopay.all');
}

export const stateTone = (state: Mandate['state']): Tone => (state === 'active' ? 'ok' : state === 'paused' ? 'warn' : 'neutral');

export const when = (days: number | null | undefined): string =>
  days === undefined || days === null ? t('autopay.when.once') : days === 0 ? t('autopay.when.due') : t('autopay.when.before', { n: days });

/** How a run stands, with its day. */
export const stands = (run: MandateRun): string => t(`run.${run.state}`, { day: day(run.next_at ?? run.debit_on) });
