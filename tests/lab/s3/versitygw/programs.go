//go:build programs

// What this module pins: an S3 server that checks signature, body, clock and region.
package programs

import _ "github.com/versity/versitygw/cmd/versitygw"
