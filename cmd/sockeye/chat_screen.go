package main

import (
	"context"

	"sockeye/cmd/sockeye/chat"
)

func (m *chatMember) onScreen(ctx context.Context, c *chat.Client) error { return m.inLines(ctx, c) }
