/**
 * A vitest reporter that ends every run with one line a machine can read: `Tests: 12 passed, 0 failed`.
 * It counts only; it never prints `0 failed` for a run that failed.
 */
import type { Reporter, TestModule } from "vitest/node"

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      let failedTests = 0
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state !== "skipped") failedTests++
      }
      // A module that did not load, or whose hooks failed, has failed although none of its tests did.
      failed += failedTests === 0 && !module.ok() ? 1 : failedTests
    }
    if (modules.length === 0) failed++
    // Written at the exit, after everything vitest itself says.
    process.once("exit", () => process.stdout.write(`Tests: ${passed} passed, ${failed} failed\n`))
  }
}
