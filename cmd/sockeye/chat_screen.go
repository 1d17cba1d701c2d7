package main

import (
	"context"

	"sockeye/cmd/sockeye/chat"
	"sockeye/cmd/sockeye/chat/view"
)

// onScreen has the whole terminal, and connects again and again.
func (m *chatMember) onScreen(ctx context.Context, c *chat.Client) error {
	c.Again = true
	return view.Run(ctx, c, m.a.stdin, m.a.stdout)
}
