/** Dates in lists, where the month stands above. */
import { locale } from '../lib/prefs';

export const shortTime = (instant: string): string =>
  new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(new Date(instant));

export const shortDay = (instant: string): string =>
  new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric' }).format(new Date(instant));
