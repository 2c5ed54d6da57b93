//go:build programs

// What this module pins: the client's two programs.
package programs

import (
	_ "tailscale.com/cmd/tailscale"
	_ "tailscale.com/cmd/tailscaled"
)
