/** What an account number looks like: `#` a digit, `@` a letter, `*` either, anything else itself. */
export type Followed =
  | { at: 'empty' | 'whole' }
  | { at: 'part'; left: number }
  | { at: 'wrong'; place: number; want: 'digit' | 'letter' | 'either' | 'end' | 'itself'; itself: string };

const fits = (want: string, given: string): boolean =>
  want === '#' ? /\d/.test(given) : want === '@' ? /[A-Za-z]/.test(given) : want === '*' ? /[\dA-Za-z]/.test(given) : want === given;

const WANT = { '#': 'digit', '@': 'letter', '*': 'either' } as const;

/** How far a text follows a pattern, while it is being typed; `place` counts from 1. */
export function follow(pattern: string, text: string): Followed {
  if (text === '') return { at: 'empty' };
  for (let i = 0; i < text.length; i += 1) {
    const want = pattern[i];
    if (want === undefined) return { at: 'wrong', place: i + 1, want: 'end', itself: '' };
    if (!fits(want, text[i] ?? '')) return { at: 'wrong', place: i + 1, want: WANT[want as '#'] ?? 'itself', itself: want };
  }
  return text.length === pattern.length ? { at: 'whole' } : { at: 'part', left: pattern.length - text.length };
}

/** A text of this form, for those who look for the number on their paper; its check digit is none. */
export function sample(pattern: string): string {
  let n = 0;
  return pattern.replace(/[#@*]/g, (want) => (want === '@' ? 'ABCDEFGH'.charAt(n % 8) : String((n += 1) % 10)));
}

/** As the number is written: capitals, no spaces or hyphens between. */
export const tidy = (text: string): string => text.replace(/[\s-]/g, '').toUpperCase();
