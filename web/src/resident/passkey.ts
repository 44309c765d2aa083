/** Passkeys (WebAuthn): the JSON of the API to what the browser takes, and back. */
import { Failure } from '../lib/call';
import type { Session } from '../lib/session';
import * as api from './api';

const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (ch) => ch.charCodeAt(0));
const text = (buffer: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');

interface Described {
  id: string;
  type: 'public-key';
}
interface OptionsJson {
  publicKey: {
    challenge: string;
    user?: { id: string };
    excludeCredentials?: Described[];
    allowCredentials?: Described[];
  };
}

/** The options with their base64url fields as bytes. */
function decoded(answer: unknown): unknown {
  const { publicKey: o } = answer as OptionsJson;
  const ids = (list: Described[] | undefined) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  return {
    ...o,
    challenge: bytes(o.challenge),
    ...(o.user ? { user: { ...o.user, id: bytes(o.user.id) } } : {}),
    ...(o.excludeCredentials ? { excludeCredentials: ids(o.excludeCredentials) } : {}),
    ...(o.allowCredentials ? { allowCredentials: ids(o.allowCredentials) } : {}),
  };
}

export const hasPasskeys = (): boolean => 'PublicKeyCredential' in globalThis && 'credentials' in navigator;

/** Nothing came of it: the person closed the browser's question, or the device has no such key. */
async function ask(question: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await question();
    if (credential) return credential as PublicKeyCredential;
  } catch (error) {
    const name = (error as DOMException).name;
    if (name === 'InvalidStateError') throw new Failure('refused', 'passkey_here', String(error));
    if (name !== 'NotAllowedError' && name !== 'AbortError') throw new Failure('refused', 'passkey_refused', String(error));
  }
  throw new Failure('refused', 'cancelled', 'the question was closed');
}

/** Makes a passkey on this device and gives it to the server, which wants the PIN first where there is one. */
export async function createPasskey(name: string, pin: string | undefined): Promise<void> {
  const publicKey = decoded(await api.passkeyOptions(pin)) as PublicKeyCredentialCreationOptions;
  const made = await ask(() => navigator.credentials.create({ publicKey }));
  const response = made.response as AuthenticatorAttestationResponse;
  await api.addPasskey({
    name,
    id: made.id,
    response: {
      clientDataJSON: text(response.clientDataJSON),
      attestationObject: text(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  });
}

/** Signs in with a passkey of this device. */
export async function usePasskey(): Promise<Session> {
  const publicKey = decoded(await api.passkeySignInOptions()) as PublicKeyCredentialRequestOptions;
  const used = await ask(() => navigator.credentials.get({ publicKey }));
  const response = used.response as AuthenticatorAssertionResponse;
  return api.passkeySignIn({
    id: used.id,
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : undefined,
    },
  });
}
