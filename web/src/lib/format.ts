/** Money, dates and numbers by locale. Amounts are integers of minor units; no floating point touches them. */
import { locale } from './prefs';

export interface Amount {
  minor: number;
  currency: string;
}

/** What the session said of the city: its currency, and where its days begin. Days are the city's, wherever the browser is. */
export interface City {
  currency: string;
  utc_offset_s: number;
  /** For operators: above it money takes two of them. */
  four_eyes_limit?: Amount | null;
}
let city: City = { currency: 'CNY', utc_offset_s: 8 * 3600 };
export const setCity = (told: City): void => void (city = told);
export const cityCurrency = (): string => city.currency;
export const fourEyesLimit = (): Amount | undefined => city.four_eyes_limit ?? undefined;
/** The instant whose UTC reading is what the city's clocks show. */
export const local = (instant: string | number): Date => new Date(new Date(instant).getTime() + city.utc_offset_s * 1000);

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

/** A day, `2026-03-02`, for people; of an instant it is the city's. */
export function day(text: string): string {
  const [y, m, d] = (text.length > 10 ? today(new Date(text)) : text).split('-').map(Number);
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).format(
    Date.UTC(y ?? 1970, (m ?? 1) - 1, d ?? 1),
  );
}

export const dateTime = (instant: string | number): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' }).format(local(instant));

export const time = (instant: string | number, seconds = false): string =>
  new Intl.DateTimeFormat(locale(), { timeStyle: seconds ? 'medium' : 'short', timeZone: 'UTC' }).format(local(instant));

/** A month, `2026-03`, for people. */
export function month(text: string): string {
  const [y, m] = text.split('-').map(Number);
  return new Intl.DateTimeFormat(locale(), { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    Date.UTC(y ?? 1970, (m ?? 1) - 1, 1),
  );
}

/** The instant at which the city's day `2026-03-02` begins. */
export function dayBegins(text: string): string {
  const [y, m, d] = text.split('-').map(Number);
  return new Date(Date.UTC(y ?? 1970, (m ?? 1) - 1, d ?? 1) - city.utc_offset_s * 1000).toISOString();
}

/** The city's day of an instant, `2026-03-02`; today without one. */
export const today = (instant: Date | number = Date.now()): string => local(instant instanceof Date ? instant.getTime() : instant).toISOString().slice(0, 10);

/** What the city's clocks show, `2026-03-02T09:30:00`, as date fields write it; and the instant at which they show it. */
export const cityClock = (instant: number = Date.now()): string => local(instant).toISOString().slice(0, 19);
export const instantOf = (clock: string): Date => new Date(Date.parse(`${clock}Z`) - city.utc_offset_s * 1000);
