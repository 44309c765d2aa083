/** The payment code, made without a network: docs/reference/codes.md, "Payment code". */
const STEP_S = 10;
const EPOCH_S = 300;
const MOD = 100_000_000n;

/** The device's secret as a key that scripts can use and cannot read. */
export const importSecret = (secret: BufferSource): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);

const utf8 = new TextEncoder();
const u64be = (n: bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, n);
  return bytes;
};

async function digits(key: CryptoKey, label: string, ...numbers: bigint[]): Promise<bigint> {
  const parts = [utf8.encode(label), ...numbers.map(u64be)];
  const message = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  const mac = new DataView(await crypto.subtle.sign('HMAC', key, message));
  return ((mac.getBigUint64(0) << 64n) | mac.getBigUint64(8)) % MOD;
}

/** The 18 digits of the ten seconds that `unixS` lies in. */
export async function paymentCode(key: CryptoKey, unixS: number): Promise<string> {
  const second = BigInt(Math.floor(unixS));
  const locator = await digits(key, 'yima payment code locator v1', second / BigInt(EPOCH_S));
  const proof = await digits(key, 'yima payment code proof v1', second / BigInt(STEP_S), locator);
  const eight = (n: bigint) => String(n).padStart(8, '0');
  return `81${eight(locator)}${eight(proof)}`;
}

/** How many seconds until the next code. */
export const secondsLeft = (unixS: number): number => STEP_S - (Math.floor(unixS) % STEP_S);
