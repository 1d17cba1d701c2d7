package lab_test
import ("testing";"sockeye/lab";"time";"fmt";"sort")
func TestZZ(t *testing.T){
 sched,_:=lab.ParseSchedule("cut:25185@4.785s+1.305s")
 get:=func() []string { var out []string
  lab.Try(t,4,sched,time.Hour,func(n *lab.Network) error { err:=lockRun(false)(n); var ss []lab.Step; for _,c:=range n.Conversations(){ ss=append(ss,c.Steps...)}; sort.SliceStable(ss,func(i,j int)bool{return ss[i].Sent<ss[j].Sent}); for _,s:=range ss { out=append(out,fmt.Sprint(s.Sent,s.Arrived,s.Src,s.Dst,s.Proto,s.Len,s.TCP.Flags,s.TCP.Seq,s.TCP.Ack,s.Lost))}; return err}); return out}
 a:=get()
 for i:=0;i<100;i++{ b:=get(); for k:=range a { if k>=len(b)||a[k]!=b[k] { for j:=max(0,k-12);j<min(len(a),k+5);j++ { t.Logf("%d\n   %s\n   %s",j,a[j],b[j])}; t.FailNow()}}}
}
