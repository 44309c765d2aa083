/** The kinds of bills as people know them, in the order of a new user. */
import type { IconName } from '../kit';
import type { Biller, Category, Entry, Name } from './api';
import { prefs } from '../lib/prefs';
import { t } from './text';

export const CATEGORIES: Category[] = ['power', 'water', 'gas', 'broadband', 'mobile', 'property', 'heating', 'tv', 'tuition', 'social_insurance', 'parking', 'hospital', 'traffic_fine', 'tax', 'other'];

export const categoryIcon = (category: Category | null | undefined): IconName =>
  ({
    power: 'power',
    water: 'water',
    gas: 'gas',
    broadband: 'broadband',
    mobile: 'mobile',
    property: 'property',
    heating: 'heating',
    traffic_fine: 'fine',
    tax: 'tax',
    tv: 'tv',
    tuition: 'tuition',
    social_insurance: 'people',
    parking: 'parking',
    hospital: 'hospital',
    other: 'bill',
  })[category ?? 'other'] as IconName;

/** A name in the language of the screen. */
export const named = (name: Name | null | undefined): string => (name ? name[prefs().lang] : '');

/** The city of a biller; a region without a name by its GB/T 2260 code. */
export const cityOf = (biller: Biller): string => (biller.city ? named(biller.city) : t('bills.region', { code: biller.region }));

/** The kinds that some biller bills, the most used first. */
export function used(billers: Biller[] | undefined, uses: Record<string, number>): Category[] {
  const there = new Set(billers?.map((one) => one.category));
  const shown = CATEGORIES.filter((category) => !billers || there.has(category));
  return shown.sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0));
}

/** The sign of a movement of the wallet. */
export const kindIcon = (entry: Pick<Entry, 'kind' | 'direction'>): IconName =>
  entry.kind === 'trade_payment'
    ? 'shop'
    : entry.kind === 'bill_payment'
      ? 'bill'
      : entry.kind === 'trade_refund'
        ? 'refund'
        : entry.kind.startsWith('coupon')
          ? 'coupon'
          : entry.kind === 'transfer'
            ? 'transfer'
            : entry.direction === 'in'
              ? 'plus'
              : 'minus';
