/** This phone's key for payment codes. Its bytes pass through here once, on their way into a key that cannot be taken out again. */
import { call } from '../lib/call';
import { importSecret } from '../lib/paycode';
import * as vault from '../lib/vault';
import { myId } from './state';
import { t } from './text';

interface DeviceKey {
  resident: string;
  device: string;
  key: CryptoKey;
}

export async function deviceKey(): Promise<DeviceKey | undefined> {
  const held = await vault.get<DeviceKey>('keys', 'device').catch(() => undefined);
  return held?.resident === myId() ? held : undefined;
}

export const forgetDevice = (): Promise<unknown> => vault.remove('keys', 'device');

/** What to call this phone in the list of devices. */
export function deviceName(agent = navigator.userAgent): string {
  const kind = /iPhone|iPad/.test(agent) ? 'ios' : /HarmonyOS|OpenHarmony/.test(agent) ? 'harmony' : /Android/.test(agent) ? 'android' : 'other';
  return t(`device.${kind}`);
}

/** Enrols this phone; needs the network, once. */
export async function enrol(): Promise<DeviceKey> {
  const { device, secret } = await call('post', '/v1/me/devices', { body: { name: deviceName() } });
  const bytes = Uint8Array.from(atob(secret), (ch) => ch.charCodeAt(0));
  try {
    const held = { resident: myId(), device: device.id, key: await importSecret(bytes) };
    await vault.put('keys', 'device', held);
    return held;
  } finally {
    bytes.fill(0);
  }
}

/** Whether the city still knows this phone; a phone that was removed makes codes that nobody takes. */
export async function stillKnown(held: DeviceKey): Promise<boolean> {
  const known = (await call('get', '/v1/me/devices')).some((one) => one.id === held.device);
  if (!known) await forgetDevice();
  return known;
}
