/**
 * What a browser keeps between visits, in IndexedDB: the device's key, which cannot be taken out again, and payments whose answer is
 * not known yet.
 */
const STORES = ['keys', 'unsettled', 'cache'] as const;
export type StoreName = (typeof STORES)[number];

let opening: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('yima', 1);
    request.onupgradeneeded = () => {
      for (const name of STORES) request.result.createObjectStore(name);
    };
    request.onsuccess = () => {
      // Phones close it behind a page's back: it is opened again when it is next wanted.
      request.result.onclose = () => (opening = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  opening.catch(() => (opening = undefined));
  return opening;
}

async function act<T>(name: StoreName, mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  let database = await open();
  try {
    database.transaction(name, 'readonly').abort();
  } catch {
    opening = undefined; // closed without a word
    database = await open();
  }
  return new Promise((resolve, reject) => {
    // Strict: what was put is on the disk when this resolves, as far as the browser can say.
    const transaction = database.transaction(name, mode, { durability: 'strict' });
    const request = work(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

export const get = <T>(store: StoreName, key: string): Promise<T | undefined> =>
  act(store, 'readonly', (s) => s.get(key) as IDBRequest<T | undefined>);
export const all = <T>(store: StoreName): Promise<T[]> => act(store, 'readonly', (s) => s.getAll() as IDBRequest<T[]>);
export const put = (store: StoreName, key: string, value: unknown): Promise<unknown> =>
  act(store, 'readwrite', (s) => s.put(value, key));
export const remove = (store: StoreName, key: string): Promise<undefined> => act(store, 'readwrite', (s) => s.delete(key));
/** Forgets everything, at sign-out. */
export const wipe = async (): Promise<void> => {
  for (const name of STORES) await act(name, 'readwrite', (s) => s.clear());
};
