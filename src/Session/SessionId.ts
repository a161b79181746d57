/** Names of conversations (`session R4`): `YYYYMMDD_HHMMSS_` in local time and 8 hex digits of chance. */

const two = (n: number): string => String(n).padStart(2, "0")

/** `at` in epoch milliseconds; `random` in [0, 1). */
export const make = (at: number, random: number): string => {
  const time = new Date(at)
  const day = `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}`
  const clock = `${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`
  return `${day}_${clock}_${Math.floor(random * 0x1_0000_0000)
    .toString(16)
    .padStart(8, "0")}`
}
