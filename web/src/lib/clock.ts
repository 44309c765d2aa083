/** The server's time as this device can tell it: payment codes of a phone whose clock is wrong would not be taken. */
const KEY = 'yima.ahead';
let aheadMs = kept();

/** What was learned at the last visit: a phone that starts without a network has nothing else. */
function kept(): number {
  try {
    return Number(localStorage.getItem(KEY)) || 0;
  } catch {
    return 0;
  }
}

/** Learns from an answer's `Date`; good to a second or so. */
export function learnTime(response: Response, askedAt: number, now = Date.now()): void {
  const date = Date.parse(response.headers.get('date') ?? '');
  // A slow answer says little; half a second is the mean of a header that has whole seconds.
  if (Number.isNaN(date) || now - askedAt >= 4_000) return;
  const learned = (askedAt + now) / 2 - (date + 500);
  if (Math.abs(learned - aheadMs) < 500) return;
  aheadMs = learned;
  try {
    localStorage.setItem(KEY, String(Math.round(learned)));
  } catch {
    // kept for this page only
  }
}

/** Now by the server's clock, milliseconds; a difference under two seconds is left alone. */
export const serverNow = (now = Date.now()): number => (Math.abs(aheadMs) < 2_000 ? now : now - aheadMs);
