/** What the server said about the text that was scanned last, handed from the scanner to the screen that pays. */
import { c, failureText } from '../common/text';
import type { Failure } from '../lib/call';
import * as api from './api';
import { t } from './text';

let last: { payload: string; found: api.Found } | undefined;

export async function read(payload: string): Promise<api.Found> {
  const found = await api.readCode(payload);
  last = { payload, found };
  return found;
}

/** What a text is; asked anew when the page was loaded meanwhile. */
export const foundIn = async (payload: string): Promise<api.Found> => (last?.payload === payload ? last.found : read(payload));

/** Why a scanned text is refused, in plain words: whatever is wrong inside a code, to people it is damaged. */
export function refusal(failure: Failure): string {
  if (failure.code === 'is_payment_code') return t('scan.payment_code');
  const text = failureText(failure);
  return failure.status === 422 && text === c('error.unknown', { code: failure.code }) ? t('scan.damaged') : text;
}
