package interop_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "google.golang.org/grpc/interop/grpc_testing"

	"sockeye/internal/leak"
	"sockeye/stack"
)

// A testService answers what it is asked. Unary calls that ask for more than is allowed
// never end by themselves.
type testService struct {
	pb.UnimplementedTestServiceServer
}

const tooMuch = 16 << 20

func (testService) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if r.ResponseSize > tooMuch {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.SimpleResponse{Payload: &pb.Payload{Body: make([]byte, r.ResponseSize)}}, nil
}

func (testService) FullDuplexCall(s grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]) error {
	for {
		r, err := s.Recv()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: r.Payload}); err != nil {
			return err
		}
	}
}

// serveGRPC runs the service on the star's server, until the test ends.
func serveGRPC(t *testing.T, s *star) {
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(serverTLS())))
	pb.RegisterTestServiceServer(server, testService{})
	go server.Serve(s.listen(t, ":443"))
	t.Cleanup(server.Stop)
}

// dialGRPC is a client on a host. It probes an idle server every ten seconds while a call is
// under way, and gives it two to answer.
func dialGRPC(t *testing.T, h *stack.Host) pb.TestServiceClient {
	conn, err := grpc.NewClient("passthrough:///server:443",
		grpc.WithTransportCredentials(credentials.NewTLS(clientTLS())),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return h.Sockets().DialContext(ctx, "tcp", address)
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pb.NewTestServiceClient(conn)
}

func TestGRPCCallsAndStreams(t *testing.T) {
	leak.Check(t)
	everyWay(t, 5, func(t *testing.T, s *star) {
		serveGRPC(t, s)
		var wg sync.WaitGroup
		for _, h := range s.clients {
			client := dialGRPC(t, h)
			wg.Go(func() {
				for size := int32(1); size < 500_000; size *= 7 {
					r, err := client.UnaryCall(t.Context(), &pb.SimpleRequest{ResponseSize: size})
					if err != nil || len(r.Payload.Body) != int(size) {
						t.Errorf("asked for %d bytes: %v", size, err)
					}
				}
			})
			wg.Go(func() {
				stream, err := client.FullDuplexCall(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				for i := range 20 {
					body := make([]byte, i*1000)
					if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: body}}); err != nil {
						t.Error(err)
					}
					if r, err := stream.Recv(); err != nil || len(r.Payload.GetBody()) != len(body) {
						t.Errorf("message %d of the stream: %v", i, err)
						return
					}
				}
				stream.CloseSend()
				if _, err := stream.Recv(); err != io.EOF {
					t.Errorf("the stream ended with %v", err)
				}
			})
		}
		wg.Wait()
	})
}

func TestGRPCCallsEndAtTheirDeadline(t *testing.T) {
	leak.Check(t)
	everyWay(t, 1, func(t *testing.T, s *star) {
		serveGRPC(t, s)
		client := dialGRPC(t, s.clients[0])
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: tooMuch + 1})
		if status.Code(err) != codes.DeadlineExceeded || time.Since(start) != 7*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// Calls fail while the network is cut, and succeed again soon after it is whole: within the
// two minutes that gRPC waits at most between two attempts to connect.
func TestGRPCOutlivesAPartition(t *testing.T) {
	leak.Check(t)
	everyWay(t, 1, func(t *testing.T, s *star) {
		serveGRPC(t, s)
		client := dialGRPC(t, s.clients[0])
		call := func(d time.Duration, options ...grpc.CallOption) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: 1000}, options...)
			return err
		}
		faults := s.cables[0].Faults(0)
		if err := call(time.Minute); err != nil {
			t.Fatal(err)
		}
		s.cut(t, 0, true, faults)
		for range 10 {
			err := call(time.Minute)
			if c := status.Code(err); c != codes.Unavailable && c != codes.DeadlineExceeded {
				t.Errorf("a call through a network that is cut: %v", err)
			}
			time.Sleep(time.Minute)
		}
		s.cut(t, 0, false, faults)
		start := time.Now()
		if err := call(5*time.Minute, grpc.WaitForReady(true)); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 150*time.Second {
			t.Errorf("the first call took %v", d)
		}
	})
}
