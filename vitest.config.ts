/** How the tests run: two workers, a bound on every test, and a closing line that a machine can read. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    // Real servers, databases and browsers start inside hooks; a test that needs more time says so itself.
    testTimeout: 20_000,
    hookTimeout: 90_000,
    teardownTimeout: 20_000,
    reporters: ["default", "./test/support/ClosingLine.ts"]
  }
})
