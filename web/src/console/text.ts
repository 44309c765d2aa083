import { failureText } from '../common/text';
import type { Failure } from '../lib/call';
import { catalogue } from '../lib/text';
import type zh from './text.zh';

const own = catalogue<keyof typeof zh>({ zh: () => import('./text.zh'), en: () => import('./text.en') });

/** A text of the console. */
export const t = own.t;
export const loadTexts = own.load;

/** The text of a key that ends in a code of the API, `break.late`; a code that has no text yet stands for itself. */
export const word = (key: string): string => (own.has(key) ? own.t(key) : key.slice(key.indexOf('.') + 1));

/** What to tell an operator about a failure: codes that only operators meet have their texts here. */
export const because = (failure: Failure): string => {
  const key = `error.${failure.code}`;
  return own.has(key) ? own.t(key) : failureText(failure);
};
