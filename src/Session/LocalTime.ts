/**
 * The clock on the wall of a time zone: its reading at an instant, and the instant of a reading, across changes of
 * daylight saving (`session P3`, W1). Pure; `null` stands for the machine's own zone.
 */

export interface Reading {
  readonly year: number
  /** 1–12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

/** One formatter per zone: making one costs more than a thousand readings. Zones are few, as they come from settings. */
const formatters = new Map<string, Intl.DateTimeFormat>()

const formatterOf = (zone: string | null): Intl.DateTimeFormat => {
  const key = zone ?? ""
  let formatter = formatters.get(key)
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", {
      ...(zone === null ? undefined : { timeZone: zone }),
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      weekday: "short",
      timeZoneName: "short"
    })
    if (formatters.size >= 16) formatters.clear()
    formatters.set(key, formatter)
  }
  return formatter
}

/** Whether the machine knows the zone. */
export const isZone = (zone: string): boolean => {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

const partsOf = (at: number, zone: string | null): Readonly<Record<string, string>> =>
  Object.fromEntries(
    formatterOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value])
  )

export const reading = (at: number, zone: string | null): Reading => {
  const parts = partsOf(at, zone)
  const number = (name: string) => Number(parts[name])
  return {
    year: number("year"),
    month: number("month"),
    day: number("day"),
    hour: number("hour"),
    minute: number("minute"),
    second: number("second")
  }
}

const two = (n: number): string => String(n).padStart(2, "0")

/** `Tue 2026-04-28 13:40:53 CEST` (`session W1`). */
export const format = (at: number, zone: string | null): string => {
  const parts = partsOf(at, zone)
  const { day, hour, minute, month, second, year } = reading(at, zone)
  return `${parts["weekday"]} ${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)} ${parts["timeZoneName"]}`
}

const utcOf = ({ day, hour, minute, month, second, year }: Reading): number =>
  Date.UTC(year, month - 1, day, hour, minute, second)

const day = 86_400_000

/** Milliseconds by which the wall is ahead of UTC; whole seconds, as zones are. */
const offset = (at: number, zone: string | null): number => utcOf(reading(at, zone)) - Math.floor(at / 1000) * 1000

/**
 * The instant at which the wall shows this full hour of this day: the first one where it does so twice, the next valid one
 * where it never does. `month` and `day` may lie outside their range, as in `Date.UTC`.
 */
const instant = (year: number, month: number, dayOfMonth: number, hour: number, zone: string | null): number => {
  const wall = Date.UTC(year, month - 1, dayOfMonth, hour)
  const before = wall - offset(wall - day, zone)
  if (before + offset(before, zone) === wall) return before
  const after = wall - offset(wall + day, zone)
  return after + offset(after, zone) === wall ? after : before
}

/** The latest instant, not after `at`, at which the wall showed `hour`:00 (`session P3`). */
export const latestHour = (at: number, hour: number, zone: string | null): number => {
  const { day, month, year } = reading(at, zone)
  for (let back = 0; back <= 2; back++) {
    const found = instant(year, month, day - back, hour, zone)
    if (found <= at) return found
  }
  return at - 2 * 86_400_000
}
