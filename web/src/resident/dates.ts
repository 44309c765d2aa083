/** Dates in lists, where the month stands above. */
import { local } from '../lib/format';
import { locale } from '../lib/prefs';

const told = (instant: string, parts: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat(locale(), { ...parts, timeZone: 'UTC' }).format(local(instant));

export const shortTime = (instant: string): string => told(instant, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });

export const shortDay = (instant: string): string => told(instant, { month: 'short', day: 'numeric' });
