/** Days as the API writes them, `2026-03-02`. */

/** The day so many days before; after, where `n` is negative. */
export function daysBefore(day: string, n: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - n * 86_400_000).toISOString().slice(0, 10);
}
