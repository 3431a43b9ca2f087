package main

import (
	"context"

	"github.com/spf13/cobra"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
)

func init() {
	programs["kubelet"] = func(ctx context.Context) *cobra.Command { return kubelet.NewKubeletCommand(ctx) }
	programs["kube-proxy"] = func(context.Context) *cobra.Command { return kubeproxy.NewProxyCommand() }
}
