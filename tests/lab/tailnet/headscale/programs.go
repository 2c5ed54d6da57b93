//go:build programs

// What this module pins: the control server.
package programs

import _ "github.com/juanfont/headscale/cmd/headscale"
