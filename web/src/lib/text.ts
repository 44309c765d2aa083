/** Texts come from catalogues only: one module a language, loaded when it is needed, with the same keys (the compiler sees to that). */
import { type Lang, prefs } from './prefs';

export type Values = Record<string, string | number>;
type Catalogue<K extends string> = Record<K, string>;

/**
 * `{name}` stands for a value; `{n|bill|bills}` for the first word when the value is 1, else for the second.
 */
export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return one === undefined ? String(value) : Number(value) === 1 ? one : (many ?? '');
  });
}

/** A catalogue with its languages; `load` before the first `t`. */
export function catalogue<K extends string>(languages: Record<Lang, () => Promise<{ default: Catalogue<K> }>>) {
  const loaded: Partial<Record<Lang, Catalogue<K>>> = {};
  return {
    async load(lang: Lang): Promise<void> {
      loaded[lang] ??= (await languages[lang]()).default;
    },
    t(key: K, values?: Values): string {
      const texts = loaded[prefs().lang] ?? loaded.zh ?? loaded.en;
      return fill(texts?.[key] ?? key, values);
    },
    has(key: string): key is K {
      const texts = loaded[prefs().lang] ?? loaded.zh ?? loaded.en;
      return texts !== undefined && Object.hasOwn(texts, key);
    },
  };
}
