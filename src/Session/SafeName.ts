/** Names from outside that must never become part of a path (`session N1`). We build no file names of them either way. */

export const isUnsafe = (name: string): boolean => /\.\.|[/\\]|^\p{L}:/u.test(name)
