package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// An auditor notes what is asked from the command line, in a chain of its own.
type auditor struct {
	out  *pipeline.Writer
	head topics.AuditHead
}

func newAuditor(conf kafka.Config, log *slog.Logger) *auditor {
	return &auditor{pipeline.NewWriter(conf, log, "audit"), topics.AuditHead{Writer: rand.Text()}}
}

// note writes a record. What cannot be noted is not to be done.
func (n *auditor) note(ctx context.Context, a *topics.Audit) error {
	a.TimeUs, a.Channel, a.Address = time.Now().UnixMicro(), "cli", "loopback"
	if err := n.head.Link(a); err != nil {
		return err
	}
	if err := n.out.Write(ctx, topics.Audits, a); err != nil {
		return fmt.Errorf("it could not be noted who asks for this: %w; where the topic is missing, heartwire topics apply makes it", err)
	}
	return nil
}

func (n *auditor) close() { n.out.Close() }

// concluded is the record of what came of what was asked.
func concluded(asked *topics.Audit, accepted bool, code string) *topics.Audit {
	result := "done"
	if !accepted {
		result = cmp.Or(code, "refused")
	}
	return &topics.Audit{Subject: asked.Subject, Person: asked.Person, What: asked.What, Id: asked.Id, Result: result}
}

// answerAudit is the record of what a person does about alarms.
func answerAudit(c *topics.Chart) *topics.Audit {
	a := &topics.Audit{Subject: c.GetPatient(), What: "act", Result: "asked"}
	if x := c.GetAnswer(); x != nil {
		a.Person, a.Id, a.Asked = x.Person, x.Id, &topics.Audit_Answer{Answer: x}
	}
	if x := c.GetStandby(); x != nil {
		a.Person, a.Id, a.Asked = x.Person, x.Id, &topics.Audit_Standby{Standby: x}
	}
	return a
}

// requestAudit is the record of what is asked of the registry.
func requestAudit(r *topics.Request) *topics.Audit {
	return &topics.Audit{Subject: subjectOf(r), Person: r.Author, What: "ask", Result: "asked", Id: r.Id, Asked: &topics.Audit_Request{Request: r}}
}

// subjectOf is what a request is about: a patient, or an object of settings.
func subjectOf(r *topics.Request) string {
	switch k := r.Kind.(type) {
	case *topics.Request_PutPatient:
		return k.PutPatient.GetPatient()
	case *topics.Request_Bind:
		return k.Bind.GetPatient()
	case *topics.Request_Unbind:
		return "device/" + k.Unbind.GetDevice()
	case *topics.Request_PutLayer:
		return strings.TrimPrefix(k.PutLayer.GetOf(), topics.LayerPatient+"/")
	case *topics.Request_PutProfile:
		return "profile/" + k.PutProfile.GetName()
	case *topics.Request_PutAccount:
		return "account/" + k.PutAccount.GetAccount()
	}
	return topics.LayerSite
}
