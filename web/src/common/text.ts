import { Failure } from '../lib/call';
import { catalogue } from '../lib/text';
import type zh from './text.zh';

const common = catalogue<keyof typeof zh>({ zh: () => import('./text.zh'), en: () => import('./text.en') });

/** A text that all apps share. */
export const c = common.t;
export const loadCommon = common.load;

/** What to tell a person about a failure; a code without a text of its own is named, with the server's sentence left out. */
export function failureText(failure: Failure): string {
  if (failure.kind === 'offline') return c('error.offline');
  const key = `error.${failure.code}`;
  if (common.has(key)) return c(key);
  return failure.kind === 'lost' ? c('error.lost') : c('error.unknown', { code: failure.code });
}
