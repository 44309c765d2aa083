/** Routes live behind the hash, so that the server has one page and the phone's back button works. */
import { useEffect, useState } from 'preact/hooks';

export interface Route {
  /** `/bills/hz-power`. */
  path: string;
  query: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  return { path: path.startsWith('/') ? path : `/${path}`, query: new URLSearchParams(query) };
}

/** The address of a route, with its query where it has one. */
export function href(path: string, query: Record<string, string | number | undefined> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#${path}${text ? `?${text}` : ''}`;
}

export function go(path: string, query?: Record<string, string | number | undefined>): void {
  location.hash = href(path, query);
}

/** Goes to another route in the place of this one. */
export function replace(path: string, query?: Record<string, string | number | undefined>): void {
  history.replaceState(null, '', href(path, query));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** Where the back button of a page leads: to what was before, or to `fallback` where nothing was. */
export function back(fallback = '/'): void {
  if (history.length > 1) history.back();
  else replace(fallback);
}

export function useRoute(): Route {
  const [route, set] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => set(parseRoute(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/** The parameters of `path` if it looks like `pattern` (`/bills/:biller`). */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return undefined;
  const found: Record<string, string> = {};
  for (const [i, part] of want.entries()) {
    const given = have[i] ?? '';
    if (part.startsWith(':')) {
      try {
        found[part.slice(1)] = decodeURIComponent(given);
      } catch {
        return undefined; // somebody's own address
      }
    } else if (part !== given) return undefined;
  }
  return found;
}
