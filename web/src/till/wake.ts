/** Keeps the screen on while the till is open, where the browser can. */
export function stayAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let over = false;
  const ask = async () => {
    if (over || document.visibilityState !== 'visible' || (lock && !lock.released)) return;
    try {
      lock = await navigator.wakeLock?.request('screen');
      if (over) void lock?.release();
    } catch {
      // A battery saver says no; asked again when the page is shown again.
    }
  };
  const again = () => void ask();
  document.addEventListener('visibilitychange', again);
  addEventListener('pageshow', again);
  again();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', again);
    removeEventListener('pageshow', again);
    void lock?.release();
  };
}
