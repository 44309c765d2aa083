/**
 * Where cities are, to find the nearest one that has billers: latitude and longitude of the middle of its area, rounded to a hundredth
 * of a degree. Derived from a map of China's prefectures (city.geojson of the project's region data, MIT licence). Only cities that
 * have billers are offered; one that is not in this table is offered by its GB/T 2260 code.
 */
const PLACES: Record<string, readonly [number, number]> = {
  110100: [40.19, 116.41],
  120100: [39.29, 117.33],
  130100: [38.13, 114.44],
  140100: [37.96, 112.32],
  150100: [40.59, 111.50],
  210100: [42.09, 123.14],
  220100: [44.28, 125.58],
  230100: [45.64, 127.96],
  310100: [31.08, 121.42],
  320100: [31.93, 118.84],
  330100: [29.90, 119.47],
  340100: [31.76, 117.36],
  350100: [26.06, 119.16],
  360100: [28.65, 116.02],
  370100: [36.64, 117.21],
  410100: [34.63, 113.47],
  420100: [30.62, 114.34],
  430100: [28.23, 113.15],
  440100: [23.34, 113.54],
  440300: [22.66, 114.13],
  450100: [23.06, 108.46],
  460100: [19.83, 110.42],
  500100: [30.06, 107.88],
  510100: [30.65, 103.93],
  520100: [26.84, 106.71],
  530100: [25.39, 102.87],
  540100: [30.04, 91.09],
  610100: [34.11, 108.79],
  620100: [36.36, 103.64],
  630100: [36.83, 101.44],
  640100: [38.28, 106.34],
  650100: [43.75, 87.79],
};

/** The nearest of the cities, by their GB/T 2260 codes, or undefined where none has a known place. */
export function nearest(cities: string[], latitude: number, longitude: number): string | undefined {
  // Degrees of longitude shrink towards the poles; for a choice among cities a flat map is good enough.
  const shrink = Math.cos((latitude * Math.PI) / 180);
  let best: { city: string; far: number } | undefined;
  for (const city of cities) {
    const place = PLACES[city];
    if (!place) continue;
    const far = Math.hypot(place[0] - latitude, (place[1] - longitude) * shrink);
    if (!best || far < best.far) best = { city, far };
  }
  return best?.city;
}
