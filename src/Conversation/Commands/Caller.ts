/**
 * Who gives a command, as far as it matters to commands (`access S`, `commands A`). Rights are decided in Access; here they
 * only have a shape.
 */
export interface Caller {
  readonly scope: "dm" | "group"
  /** `unrestricted`: no admins are configured for this scope. */
  readonly tier: "unrestricted" | "admin" | "user"
  /** Named as an admin, not merely unrestricted (`commands A4`). */
  readonly isConfiguredAdmin: boolean
  /** By canonical name, or the typed one of what is not ours. */
  readonly may: (name: string) => boolean
}
