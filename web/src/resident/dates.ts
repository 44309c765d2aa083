/** Dates in lists, where the month stands above. */
import { local } from '../lib/format';
import { locale } from '../lib/prefs';

export const shortTime = (instant: string): string =>
  new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZone: 'UTC' }).format(local(instant));

export const shortDay = (instant: string): string =>
  new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric', timeZone: 'UTC' }).format(local(instant));
