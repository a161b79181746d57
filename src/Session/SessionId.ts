/** Names of conversations (`session R4`): `YYYYMMDD_HHMMSS_` in local time and 8 hex digits of chance. */
import { reading } from "./LocalTime.ts"

const two = (n: number): string => String(n).padStart(2, "0")

/** `at` in epoch milliseconds; `random` in [0, 1); `zone`: `null` = the machine's. */
export const make = (at: number, random: number, zone: string | null = null): string => {
  const time = reading(at, zone)
  const day = `${time.year}${two(time.month)}${two(time.day)}`
  const clock = `${two(time.hour)}${two(time.minute)}${two(time.second)}`
  return `${day}_${clock}_${Math.floor(random * 0x1_0000_0000)
    .toString(16)
    .padStart(8, "0")}`
}
