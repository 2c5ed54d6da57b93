// The official client of Tailscale's API, as a judge of a server that claims to speak it: makes a key, reads it back,
// deletes it, lists devices, deletes one, and prints what it was told, a line each, as JSON.
//
//	tailnet-client BASE credentials WORD...
//
// credentials: "oauth" (id and secret in the environment) or "key" (TAILSCALE_API_KEY). Words, in this order as often as
// wanted: `make TAG`, `get ID`, `unmake ID`, `devices`, `delete DEVICE`. An error ends it with 1 and is printed decoded.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	tailscale "tailscale.com/client/tailscale/v2"
)

func say(what string, value any) {
	line, err := json.Marshal(map[string]any{what: value})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	var told tailscale.APIError
	if errors.As(err, &told) {
		say("error", map[string]any{"status": told.Status, "message": told.Message})
	} else {
		say("error", map[string]any{"status": 0, "message": err.Error()})
	}
	os.Exit(1)
}

func makeKey(ctx context.Context, client *tailscale.Client, tag string) (*tailscale.Key, error) {
	wish := tailscale.CreateKeyRequest{ExpirySeconds: 300, Description: "made by the judge"}
	wish.Capabilities.Devices.Create.Ephemeral = true
	wish.Capabilities.Devices.Create.Preauthorized = true
	wish.Capabilities.Devices.Create.Tags = []string{tag}
	return client.Keys().CreateAuthKey(ctx, wish)
}

func work(ctx context.Context, client *tailscale.Client, words []string) (int, error) {
	argument := ""
	if len(words) > 1 {
		argument = words[1]
	}
	switch words[0] {
	case "make":
		key, err := makeKey(ctx, client, argument)
		if err == nil {
			say("made", key)
		}
		return 2, err
	case "get":
		key, err := client.Keys().Get(ctx, argument)
		if err == nil {
			say("key", key)
		}
		return 2, err
	case "unmake":
		return 2, client.Keys().Delete(ctx, argument)
	case "devices":
		devices, err := client.Devices().List(ctx)
		if err == nil {
			say("devices", devices)
		}
		return 1, err
	case "delete":
		return 2, client.Devices().Delete(ctx, argument)
	}
	return 0, fmt.Errorf("'%s' is no word of this program", words[0])
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: tailnet-client BASE oauth|key WORD...")
		os.Exit(64)
	}
	base, err := url.Parse(os.Args[1])
	if err != nil {
		fail(err)
	}
	client := &tailscale.Client{BaseURL: base, HTTP: &http.Client{Timeout: 10 * time.Second}}
	if os.Args[2] == "oauth" {
		client.Auth = &tailscale.OAuth{ClientID: os.Getenv("TAILSCALE_OAUTH_ID"), ClientSecret: os.Getenv("TAILSCALE_OAUTH_SECRET")}
	} else {
		client.APIKey = os.Getenv("TAILSCALE_API_KEY")
	}
	for words := os.Args[3:]; len(words) > 0; {
		taken, err := work(context.Background(), client, words)
		if err != nil {
			fail(err)
		}
		words = words[min(taken, len(words)):]
	}
}
