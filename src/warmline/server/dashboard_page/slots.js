// @ts-check
/** From the points that have turns to all points in time, evenly; and sums on top of each other. Pure. */

const MOST = 1000;

/**
 * Put columns that leave out empty points onto an even axis, with null where there was nothing.
 *
 * @param {number[]} at_s in order
 * @param {number} apart_s
 * @param {(number | null)[][]} columns
 * @returns {{at_s: number[], columns: (number | null)[][]}}
 */
export function evenly(at_s, apart_s, columns) {
  if (at_s.length === 0) return { at_s: [], columns: columns.map(() => []) };
  const first = at_s[0];
  const places = at_s.map((at) => Math.round((at - first) / apart_s));
  const length = (places[places.length - 1] ?? 0) + 1;
  if (length > MOST || !(apart_s > 0)) return { at_s, columns };
  const spread = columns.map((column) => {
    const made = new Array(length).fill(null);
    places.forEach((place, index) => {
      made[place] = column[index] ?? null;
    });
    return made;
  });
  return { at_s: Array.from({ length }, (_, index) => first + index * apart_s), columns: spread };
}

/**
 * Several groups' points on one axis.
 *
 * @param {{at_s: number[], values: (number | null)[]}[]} groups
 * @returns {{at_s: number[], columns: (number | null)[][]}}
 */
export function together(groups) {
  const at_s = [...new Set(groups.flatMap((group) => group.at_s))].sort((a, b) => a - b);
  const columns = groups.map((group) => {
    const known = new Map(group.at_s.map((at, index) => [at, group.values[index]]));
    return at_s.map((at) => known.get(at) ?? null);
  });
  return { at_s, columns };
}

/** Each column on top of those before it; null where none has a value. @param {(number | null)[][]} columns */
export function stacked(columns) {
  const length = columns[0]?.length ?? 0;
  const sums = new Array(length).fill(0);
  return columns.map((column) =>
    column.map((value, index) => {
      sums[index] += value ?? 0;
      return columns.every((one) => one[index] === null) ? null : sums[index];
    }),
  );
}
