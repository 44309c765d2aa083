/** Money, dates and numbers by locale. Amounts are integers of minor units; no floating point touches them. */
import { locale } from './prefs';

export interface Amount {
  minor: number;
  currency: string;
}

/** Decimal places of a currency (ISO 4217). */
export const places = (currency: string): number =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;

/** `1250` of CNY as `12.50`: exact, for programs and for {@link money}. */
export function decimal(minor: number, currency = 'CNY'): string {
  const digits = places(currency);
  const sign = minor < 0 ? '-' : '';
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const cut = text.length - digits;
  return digits === 0 ? sign + text : `${sign}${text.slice(0, cut)}.${text.slice(cut)}`;
}

/** An amount for people, `¥12.50`. */
export function money(amount: Amount, sign: 'auto' | 'always' = 'auto'): string {
  const format = new Intl.NumberFormat(locale(), {
    style: 'currency',
    currency: amount.currency,
    currencyDisplay: 'narrowSymbol',
    signDisplay: sign === 'always' ? 'exceptZero' : 'auto',
  });
  return format.format(decimal(amount.minor, amount.currency) as unknown as number);
}

/** `12.5` as `1250` of CNY; undefined for what is not an amount or has too many places. */
export function parseAmount(text: string, currency = 'CNY'): number | undefined {
  const digits = places(currency);
  const found = /^(\d{1,12})(?:\.(\d*))?$/.exec(text.replace(/[,，\s¥]/g, ''));
  if (!found || (found[2]?.length ?? 0) > digits) return undefined;
  return Number(found[1] + (found[2] ?? '').padEnd(digits, '0'));
}

export const number = (value: number, digits = 0): string =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

export const percent = (share: number): string =>
  new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 1 }).format(share);

/** A day, `2026-03-02`, for people. */
export function day(text: string): string {
  const [y, m, d] = text.slice(0, 10).split('-').map(Number);
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).format(
    Date.UTC(y ?? 1970, (m ?? 1) - 1, d ?? 1),
  );
}

export const dateTime = (instant: string | number): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(instant));

export const time = (instant: string | number, seconds = false): string =>
  new Intl.DateTimeFormat(locale(), { timeStyle: seconds ? 'medium' : 'short' }).format(new Date(instant));

/** A month, `2026-03`, for people. */
export function month(text: string): string {
  const [y, m] = text.split('-').map(Number);
  return new Intl.DateTimeFormat(locale(), { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    Date.UTC(y ?? 1970, (m ?? 1) - 1, 1),
  );
}

/** Today where the browser is, `2026-03-02`. */
export function today(now = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
