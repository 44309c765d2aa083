// The icon set: one path each on a 24 px grid, drawn with the text's colour. A decoration unless it gets a label.

const o = (x: number, y: number, r: number) =>
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
const ring = o(12, 12, 9);
const dot = (x: number, y: number) => `M${x} ${y}v.01`;
const square = 'M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z';
const speaker = 'M4 9.5h3.5L12 5.5v13l-4.5-4H4z';
const eye = 'M2.5 12S6 5.5 12 5.5s9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12z' + o(12, 12, 3);

const paths = {
  scan: 'M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2M4 12h16',
  qr: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h3v3M20 14v3M14 20h3M20 20v.01',
  collect: 'M12 3v10M8 9.5l4 4 4-4M4.5 11a7.8 7.8 0 1 0 15 0',
  pay: 'M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM3 10h18M7 15h3',
  transfer: 'M4 8h15.5M16 4.5L19.5 8 16 11.5M20 16H4.5M8 12.5L4.5 16 8 19.5',
  ride:
    'M6 4h12a2 2 0 0 1 2 2v11.5H4V6a2 2 0 0 1 2-2zM4 11.5h16M7 17.5V20M17 17.5V20M12 4v7.5' +
    dot(7.5, 14.5) +
    dot(16.5, 14.5),
  bill: 'M6 3h12v18l-3-2-3 2-3-2-3 2zM9.5 8h5M9.5 12h5',
  water: 'M12 3.5s6 6.3 6 10.7a6 6 0 0 1-12 0C6 9.8 12 3.5 12 3.5zM9.5 14.5A2.5 2.5 0 0 0 12 17',
  power: 'M13.5 3L5 13.5h6L10.5 21 19 10.5h-6z',
  gas: 'M12 21a6.5 6.5 0 0 0 6.5-6.5c0-3.5-2.5-5-3.5-8-2 1-2.5 2.5-2.5 4C11 9 11 6 11.5 3 8 5 5.5 9 5.5 14.5A6.5 6.5 0 0 0 12 21z',
  heating:
    'M4 20.5V11M8 20.5V11M12 20.5V11M16 20.5V11M20 20.5V11M4 13.5h16M4 18h16M8 3c-1.5 1.8 1.5 2.7 0 4.5M12 3c-1.5 1.8 1.5 2.7 0 4.5M16 3c-1.5 1.8 1.5 2.7 0 4.5',
  broadband: 'M4 14h16v6H4zM8.5 10.5a5 5 0 0 1 7 0M5.5 7.3a9.5 9.5 0 0 1 13 0M15 17h2' + dot(7.5, 17),
  mobile:
    'M8.5 3h7A1.5 1.5 0 0 1 17 4.5v15a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 7 19.5v-15A1.5 1.5 0 0 1 8.5 3zM11 17.8h2',
  tv: 'M5 7h14a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 19 18H5a1.5 1.5 0 0 1-1.5-1.5v-8A1.5 1.5 0 0 1 5 7zM8 21h8M8.5 3.5L12 7l3.5-3.5',
  property: 'M5 21V4h9v17M14 9.5h5V21M3 21h18M8 8h3M8 12h3M8 16h3',
  fine: ring + o(12, 12, 2.25) + 'M12 14.3V21M9.7 12H3M14.3 12H21',
  tuition: 'M2.5 9L12 4.5 21.5 9 12 13.5zM6.5 11v5c1.5 1.6 3.4 2.5 5.5 2.5s4-.9 5.5-2.5v-5M21.5 9v6',
  tax: 'M6 3h9l4 4v14H6zM9.7 17l5-6' + dot(9.7, 11.5) + dot(14.7, 16.5),
  hospital: 'M5 4h14v17H5zM12 7.5v6M9 10.5h6M10 21v-3.5h4V21',
  parking: square + 'M10 17V7.5h3a3 3 0 0 1 0 6h-3',
  home: 'M4 11l8-7 8 7v9h-5.5v-6h-5v6H4z',
  me: o(12, 8, 4) + 'M4.5 20.5C5.3 16.8 8.3 15 12 15s6.7 1.8 7.5 5.5',
  history: 'M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 2',
  shop: 'M4.5 12v8.5h15V12M3 9l2-5h14l2 5a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0zM10 20.5v-5h4v5',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 4L2.8 20h18.4zM12 10v4.5' + dot(12, 17.2),
  info: ring + 'M12 11v5.5' + dot(12, 7.8),
  error: ring + 'M9 9l6 6M15 9l-6 6',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  search: o(10.5, 10.5, 6.5) + 'M15.5 15.5L20 20',
  camera: 'M4 8h3.5L9 5.5h6L16.5 8H20v11H4z' + o(12, 13, 3.25),
  torch: 'M8 3h8v4l-2 3v11h-4V10L8 7zM8 6h8M12 13v2',
  photo: 'M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5' + o(15.5, 9, 0.75),
  paste: 'M9 4.5H6V21h12V4.5h-3M9 3h6v3.5H9zM9.5 11.5h5M9.5 15.5h3',
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9' + o(15, 7, 2) + o(9, 17, 2),
  sun:
    o(12, 12, 4) +
    'M12 2.5V4M12 20v1.5M2.5 12H4M20 12h1.5M5.3 5.3l1 1M17.7 17.7l1 1M18.7 5.3l-1 1M6.3 17.7l-1 1',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z',
  contrast: ring + 'M12 3v18M12 7.5h7.5M12 12h9M12 16.5h7.5',
  'text-size': 'M2.5 19L8 5.5 13.5 19M4.5 14.5h7M14.5 19l3.5-8.5 3.5 8.5M15.8 16h4.4',
  globe: ring + 'M3 12h18M12 3c2.5 2.6 3.8 5.6 3.8 9s-1.3 6.4-3.8 9c-2.5-2.6-3.8-5.6-3.8-9S9.5 5.6 12 3z',
  lock: 'M6 11h12v9.5H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11M12 14.8v2',
  passkey:
    o(9, 7.5, 3.5) +
    'M2.5 19.5c.4-3.8 2.9-5.7 6.5-5.7 1.1 0 2.1.2 3 .5M18 14.5V21l2-1.5M18 17.5h1.5' +
    o(18, 12, 2.5),
  fingerprint:
    'M5 8.5A8 8 0 0 1 20 12v3M4.5 12.5c.2 2 0 3.5-.5 5M8 20c.8-2.5 1-5 .7-8a3.4 3.4 0 0 1 6.8-.3c.2 3 0 6-.6 9M12.1 12c.3 3.5 0 6.5-.9 9',
  logout: 'M14 4H5v16h9M10 12h11M17.5 8.5L21 12l-3.5 3.5',
  print: 'M7 8V3.5h10V8M7 17H4V8h16v9h-3M7 14h10v6.5H7z',
  download: 'M12 4v11.5M7.5 11l4.5 4.5 4.5-4.5M4.5 20h15',
  upload: 'M12 16V4.5M7.5 9L12 4.5 16.5 9M4.5 20h15',
  coupon: 'M4 6h16v4a2 2 0 0 0 0 4v4H4v-4a2 2 0 0 0 0-4zM14.5 6v2M14.5 11v2M14.5 16v2',
  refund: 'M4 9h11a5 5 0 0 1 0 10H8M8 5L4 9l4 4',
  filter: 'M4 5h16l-6 7.5V18l-4 2v-7.5z',
  calendar: 'M4 6h16v14H4zM4 10.5h16M8 3.5V8M16 3.5V8',
  webhook:
    o(12, 6, 2.5) + o(6, 17.5, 2.5) + o(18, 17.5, 2.5) + 'M10.8 8.2l-3.6 7.1M13.2 8.2l3.6 7.1M8.5 17.5h7',
  key: o(8, 12, 4) + 'M12 12h9v3.5M17 12v3',
  staff:
    'M10 4.5H5V21h14V4.5h-5M10 3h4v4h-4z' + o(12, 12, 2) + 'M8.5 18.5c.4-1.8 1.7-2.5 3.5-2.5s3.1.7 3.5 2.5',
  till:
    'M5 11h14l1.5 9.5h-17zM8 11V7.5h8V11M10 3.5h4v4h-4zM8.5 17.5h7' +
    dot(8.5, 14) +
    dot(12, 14) +
    dot(15.5, 14),
  sound: speaker + 'M15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11',
  mute: speaker + 'M16 9.5l5 5M21 9.5l-5 5',
  city: 'M3 21h18M5 21V10h5M10 21V4h5v17M15 13h4v8' + dot(12.5, 8) + dot(12.5, 12) + dot(12.5, 16),
  alert: 'M7 17v-5a5 5 0 0 1 10 0v5M4 17h16v3.5H4zM12 2.5V4M4.5 5.5l1 1M19.5 5.5l-1 1',
  people:
    o(9, 8, 3.5) +
    'M3 20c.4-3.5 2.8-5.5 6-5.5s5.6 2 6 5.5M15.5 4.8a3.5 3.5 0 0 1 0 6.4M17.5 14.8c2 .8 3.2 2.6 3.5 5.2',
  ledger: 'M6 3h13v18H6a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM8 3v18M11.5 8h4M11.5 12h4',
  settlement: 'M12 4v16.5M8 20.5h8M5 7h14M5 7l-2.5 6a2.7 2.7 0 0 0 5 0zM19 7l-2.5 6a2.7 2.7 0 0 0 5 0z',
  eye,
  'eye-off': eye + 'M4 4l16 16',
  refresh: 'M20 12a8 8 0 1 1-2.5-5.8L20 8.5M20 4v4.5h-4.5',
  more: o(5, 12, 0.75) + o(12, 12, 0.75) + o(19, 12, 0.75),
  'chevron-right': 'M9 5l7 7-7 7',
  external: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  backspace: 'M8 5h13v14H8l-6-7zM11 9.5l5 5M16 9.5l-5 5',
  offline:
    'M3 8.5a14 14 0 0 1 4.5-2.7M11 5a14 14 0 0 1 10 3.5M6.5 12.5a9 9 0 0 1 3-1.9M14.8 10.8a9 9 0 0 1 2.7 1.7M9.5 16a4.5 4.5 0 0 1 5 0M4 3l16 17' +
    dot(12, 19.8),
};

export type IconName = keyof typeof paths;

/** Every name, for the gallery. */
export const iconNames = Object.keys(paths) as IconName[];

export function Icon({ name, label }: { name: IconName; label?: string }) {
  return (
    <svg
      class="k-icon"
      viewBox="0 0 24 24"
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : 'true'}
    >
      <path d={paths[name]} />
    </svg>
  );
}
