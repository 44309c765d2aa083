/**
 * Reading codes from the camera or a picture: by the browser's own BarcodeDetector where there is one, else by ZXing compiled to
 * WebAssembly, which is fetched when it is first needed.
 */
import wasmUrl from 'zxing-wasm/reader/zxing_reader.wasm?url';

type Source = HTMLVideoElement | ImageBitmap;
type Read = (source: Source) => Promise<string[]>;
interface Detector {
  detect(source: Source): Promise<{ rawValue: string }[]>;
}
type DetectorClass = { new (options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> };

const FORMATS = ['qr_code', 'code_128'];
let reader: Promise<Read> | undefined;

async function native(): Promise<Read | undefined> {
  const Class = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
  if (!Class) return undefined;
  const known = await Class.getSupportedFormats().catch(() => [] as string[]);
  if (!FORMATS.every((format) => known.includes(format))) return undefined;
  const detector = new Class({ formats: FORMATS });
  return async (source) => (await detector.detect(source)).map((found) => found.rawValue);
}

async function wasm(): Promise<Read> {
  const { prepareZXingModule, readBarcodes } = await import('zxing-wasm/reader');
  await prepareZXingModule({ overrides: { locateFile: () => wasmUrl }, fireImmediately: true });
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  return async (source) => {
    const [width, height] =
      source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
    if (width === 0 || height === 0) return [];
    const scale = Math.min(1, 1600 / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    const found = await readBarcodes(context.getImageData(0, 0, canvas.width, canvas.height), {
      formats: ['QRCode', 'Code128'],
      maxNumberOfSymbols: 4,
    });
    return found.map((one) => one.text);
  };
}

/** The texts of all codes in a picture or the camera's present frame. */
export async function readCodes(source: Source): Promise<string[]> {
  reader ??= native().then((own) => own ?? wasm());
  reader.catch(() => (reader = undefined)); // tried again when the network is back
  return (await reader)(source);
}

/** The texts of all codes in a picture file. */
export async function readFile(file: Blob): Promise<string[]> {
  const bitmap = await createImageBitmap(file);
  try {
    return await readCodes(bitmap);
  } finally {
    bitmap.close();
  }
}

export interface Camera {
  stop: () => void;
  /** Switches the light, where the camera has one. */
  torch: ((on: boolean) => Promise<void>) | undefined;
}

/** Shows the camera in `video` and calls `found` with each text that comes into sight, until stopped; again if it answers `false`. */
export async function watch(video: HTMLVideoElement, found: (text: string) => boolean | void): Promise<Camera> {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } },
  });
  video.srcObject = stream;
  video.playsInline = true;
  video.muted = true;
  const stopTracks = () => {
    for (const each of stream.getTracks()) each.stop();
    if (video.srcObject === stream) video.srcObject = null;
  };
  try {
    await video.play();
  } catch (error) {
    stopTracks(); // left before the picture came
    throw error;
  }
  let going = true;
  let last = '';
  let seenAt = 0;
  const look = async () => {
    while (going) {
      const texts = await readCodes(video).catch(() => [] as string[]);
      const text = texts[0] ?? '';
      if (text !== '') seenAt = performance.now();
      // A code that was out of sight for a second counts as new.
      else if (performance.now() - seenAt > 1_000) last = '';
      if (going && text !== '' && text !== last && found(text) !== false) last = text;
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
  };
  void look();
  const track = stream.getVideoTracks()[0];
  const abilities = (track?.getCapabilities?.() ?? {}) as { torch?: boolean };
  return {
    stop: () => {
      going = false;
      stopTracks();
    },
    torch:
      track && abilities.torch
        ? (on) => track.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] })
        : undefined,
  };
}
