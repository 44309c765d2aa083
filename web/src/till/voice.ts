/**
 * Saying aloud that money arrived, one after the other, in the chosen language; a chime where the device has no voice for it.
 * Browsers give no sound before the first touch: until then `locked` says so.
 */
import { serverNow } from '../lib/clock';
import { decimal, money } from '../lib/format';
import { locale, prefs } from '../lib/prefs';
import { kept, store } from './store';
import { t } from './text';

export interface Sound {
  muted: boolean;
  /** Whether only what this till took is announced. */
  own: boolean;
  /** Whether the browser waits for a touch. */
  locked: boolean;
  /** Whether there is a voice for the language; without one it chimes. */
  voice: boolean;
  /** How the last arrival was announced, and how many milliseconds after its commit. */
  last: { event: string; ms: number; how: 'speech' | 'chime' | 'muted' | 'locked' } | undefined;
  /** How many were announced since the page was loaded. */
  count: number;
}

interface Job {
  event: string;
  text: string;
  minor: number;
  currency: string;
  payments: number;
  /** When the ledger committed it, Unix milliseconds; undefined for a summary. */
  at: number | undefined;
}

/** Beyond so many, what waits is said as one sum: the voice must not run behind the queue. */
const WAITING_MAX = 3;
const touched = (): boolean => navigator.userActivation?.hasBeenActive ?? false;

export const sound = store<Sound>({
  muted: kept.read<boolean>('muted') ?? false,
  own: kept.read<boolean>('own') ?? false,
  locked: !touched(),
  voice: false,
  last: undefined,
  count: 0,
});

const speech: SpeechSynthesis | undefined = globalThis.speechSynthesis;
let audio: AudioContext | undefined;
let waiting: Job[] = [];
let busy = false;
/** Held, because some browsers drop an utterance that nothing refers to, and its events with it. */
const speaking = new Set<SpeechSynthesisUtterance>();

function findVoice(): SpeechSynthesisVoice | undefined {
  const fits = (speech?.getVoices() ?? []).filter((v) => v.lang.toLowerCase().replace('_', '-').startsWith(prefs().lang));
  const score = (v: SpeechSynthesisVoice) =>
    (v.localService ? 4 : 0) + (v.lang.replace('_', '-') === locale() ? 2 : 0) + (v.default ? 1 : 0);
  return fits.sort((a, b) => score(b) - score(a))[0];
}

export const voiceChanged = (): void => sound.change({ voice: findVoice() !== undefined });

/** Within a touch: lets the page make sounds from now on. */
export function unlock(): void {
  audio ??= typeof AudioContext === 'undefined' ? undefined : new AudioContext();
  void audio?.resume();
  if (sound.get().locked) {
    if (speech) {
      const nothing = new SpeechSynthesisUtterance(' ');
      nothing.volume = 0;
      speech.speak(nothing);
    }
    sound.change({ locked: false });
  }
}

export function setMuted(muted: boolean): void {
  kept.write('muted', muted ? true : undefined);
  sound.change({ muted });
  if (muted) {
    waiting = [];
    speech?.cancel();
  }
}

export function setOwn(own: boolean): void {
  kept.write('own', own ? true : undefined);
  sound.change({ own });
}

/** Two notes, the second a fifth above the first. */
function chime(): Promise<void> {
  const context = audio;
  if (!context) return Promise.resolve();
  for (const [note, after] of [
    [880, 0],
    [1320, 0.16],
  ] as const) {
    const from = context.currentTime + after;
    const volume = context.createGain();
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(0.5, from + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.001, from + 0.5);
    volume.connect(context.destination);
    const tone = context.createOscillator();
    tone.frequency.value = note;
    tone.connect(volume);
    tone.start(from);
    tone.stop(from + 0.52);
  }
  return new Promise((resolve) => setTimeout(resolve, 700));
}

/** Speaks; false where the device turns out to be unable to. */
function speak(text: string, voice: SpeechSynthesisVoice): Promise<boolean> {
  const engine = speech;
  if (!engine) return Promise.resolve(false);
  return new Promise((resolve) => {
    const words = new SpeechSynthesisUtterance(text);
    words.lang = voice.lang;
    words.voice = voice;
    let began = false;
    const done = (said: boolean) => {
      clearTimeout(early);
      clearTimeout(late);
      speaking.delete(words);
      resolve(said);
    };
    // An engine that never begins or never ends must not hold up what comes after.
    const give = () => {
      engine.cancel();
      done(began);
    };
    const early = setTimeout(() => began || give(), 2_500);
    const late = setTimeout(give, 6_000 + text.length * 300);
    words.onstart = () => (began = true);
    words.onend = () => done(true);
    words.onerror = (event) => {
      if (event.error === 'not-allowed') sound.change({ locked: true });
      done(event.error === 'canceled' || event.error === 'interrupted');
    };
    speaking.add(words);
    if (engine.paused) engine.resume();
    engine.speak(words);
  });
}

const unit = (currency: string): string =>
  currency === 'CNY' ? t('say.yuan') : (new Intl.DisplayNames(locale(), { type: 'currency' }).of(currency) ?? currency);

function said(how: 'speech' | 'chime' | 'muted' | 'locked', job: Job): void {
  const { count } = sound.get();
  const ms = job.at === undefined ? -1 : Math.max(0, Math.round(serverNow() - job.at));
  sound.change({ last: { event: job.event, ms, how }, count: count + job.payments });
}

async function work(): Promise<void> {
  if (busy) return;
  busy = true;
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    if (sound.get().muted) said('muted', job);
    else if (sound.get().locked) said('locked', job);
    else {
      const voice = findVoice();
      said(voice ? 'speech' : 'chime', job);
      if (!(voice && (await speak(job.text, voice))) && !sound.get().muted) await chime();
    }
  }
  busy = false;
}

function sum(jobs: Job[]): Job {
  const minor = jobs.reduce((total, job) => total + job.minor, 0);
  const payments = jobs.reduce((total, job) => total + job.payments, 0);
  const last = jobs[jobs.length - 1] as Job;
  return { ...last, minor, payments, at: undefined, text: t('say.several', { n: payments, amount: decimal(minor, last.currency), unit: unit(last.currency) }) };
}

/** Says that a payment arrived. */
export function announce(event: string, amount: { minor: number; currency: string }, at: number): void {
  const text = t('say.arrived', { amount: decimal(amount.minor, amount.currency), unit: unit(amount.currency) });
  waiting.push({ event, text, ...amount, payments: 1, at });
  if (waiting.length > WAITING_MAX) waiting = [sum(waiting)];
  void work();
}

/** Says what arrived while nobody listened. */
export function announceMeanwhile(event: string, payments: number, amount: { minor: number; currency: string }): void {
  const text = t('say.meanwhile', { n: payments, amount: decimal(amount.minor, amount.currency), unit: unit(amount.currency) });
  waiting.push({ event, text, ...amount, payments, at: undefined });
  void work();
}

/** What the setting's try-out says. */
export function tryOut(currency: string): void {
  unlock();
  waiting.push({ event: 'try', text: t('say.try', { shown: money({ minor: 100, currency }) }), minor: 0, currency, payments: 0, at: undefined });
  void work();
}

/** Hears the first touch, and the voices that come late. */
export function startVoice(): () => void {
  const touch = () => unlock();
  const options = { capture: true, passive: true };
  for (const name of ['pointerdown', 'keydown', 'touchend'] as const) addEventListener(name, touch, options);
  speech?.addEventListener?.('voiceschanged', voiceChanged);
  voiceChanged();
  if (touched()) unlock();
  return () => {
    for (const name of ['pointerdown', 'keydown', 'touchend'] as const) removeEventListener(name, touch, options);
    speech?.removeEventListener?.('voiceschanged', voiceChanged);
    waiting = [];
    speech?.cancel();
  };
}
