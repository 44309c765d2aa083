/**
 * A USB or Bluetooth scanner is a keyboard: it types the payer's 18 digits and Enter, wherever the focus is. Nothing else that is
 * typed at a till looks like that, so the digits tell it, not the speed.
 */
import { useEffect, useRef } from 'preact/hooks';

/** What a payment code looks like; docs/reference/codes.md. */
const PAYMENT_CODE = /^81\d{16}$/;

/** The payer's code in a scanned text, if it is one. */
export const paymentCode = (text: string): string | undefined => {
  const digits = text.trim();
  return PAYMENT_CODE.test(digits) ? digits : undefined;
};

/** Takes keys one by one and answers the code that an Enter completes. */
export function keyReader(): (key: string) => string | undefined {
  let digits = '';
  return (key) => {
    if (/^\d$/.test(key)) {
      digits = (digits + key).slice(-18);
      return undefined;
    }
    const code = key === 'Enter' || key === 'Tab' ? paymentCode(digits) : undefined;
    if (key !== 'Shift') digits = '';
    return code;
  };
}

/** Calls `found` with each code that a scanner types anywhere on the page; `digit` before each digit that may belong to one. */
export function useScanner(found: (code: string) => void, digit?: () => void): void {
  const now = useRef({ found, digit });
  now.current = { found, digit };
  useEffect(() => {
    const read = keyReader();
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (/^\d$/.test(event.key)) now.current.digit?.();
      const code = read(event.key);
      if (code === undefined) return;
      // The Enter is the scanner's: it presses no button and sends no form.
      event.preventDefault();
      event.stopImmediatePropagation();
      now.current.found(code);
    };
    addEventListener('keydown', pressed, true);
    return () => removeEventListener('keydown', pressed, true);
  }, []);
}
